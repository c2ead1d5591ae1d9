// An unmodified jsforce reads a queue: run by test_http_clients.py, which says on standard input what is there (one,
// several, failed, removed: Ids; crowd: how many operations have the ParentKey crowd).
'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');
const jsforce = require('jsforce');

const there = JSON.parse(fs.readFileSync(0, 'utf8'));
const connect = (options) => new jsforce.Connection({
  instanceUrl: process.env.BGOP_HTTP, accessToken: process.env.BGOP_HTTP_TOKEN, version: '59.0', ...options });
const conn = connect();
const operations = conn.sobject('BackgroundOperation');

const refused = (code, promise) => assert.rejects(promise, (error) => {
  assert.equal(error.errorCode, code, `${error}`);
  assert.equal(typeof error.message, 'string');
  return true;
});

const tests = {
  async 'describes'() {
    const { sobjects } = await conn.describeGlobal();
    assert.deepEqual(sobjects.map((object) => object.name), ['BackgroundOperation']);
    assert.equal((await operations.describe()).fields.length, 25);
    assert.ok((await conn.identity()).user_id.startsWith('005'));
    assert.ok((await conn.limits()).DailyApiRequests.Max > 0);
  },
  async 'retrieves one and many'() {
    const row = await operations.retrieve(there.one);
    assert.equal(row.Name, 'a b/c');
    assert.equal(row.Status, 'Complete');
    const rows = await operations.retrieve([there.failed, there.removed, there.one], { fields: ['Id', 'Status'] });
    assert.deepEqual(rows.map((each) => each && each.Status), ['Error', null, 'Complete']);
    assert.equal((await operations.retrieve([there.failed]))[0].Error, 'no such site');
    const old = await connect({ version: '41.0' }).sobject('BackgroundOperation').retrieve([there.one, there.failed]);
    assert.deepEqual(old.map((each) => each.Id), [there.one, there.failed]);
    await refused('NOT_FOUND', operations.retrieve(there.removed));
    await refused('MALFORMED_ID', operations.retrieve(`${there.one.slice(0, 15)}ZZ9`));
  },
  async 'looks up by a field'() {
    assert.equal((await operations.retrieve('Name/a%20b%2Fc')).Id, there.one);
    await refused('MULTIPLE_CHOICES', operations.retrieve('ParentKey/several'));
    await refused('NOT_FOUND', operations.retrieve('Name/nobody'));
  },
  async 'replicates'() {
    const start = new Date(Date.now() - 600000), end = new Date(Date.now() + 120000);
    const updated = await operations.updated(start, end);
    assert.ok(updated.ids.includes(there.one) && updated.ids.length >= there.crowd);
    const deleted = await operations.deleted(start, end);
    assert.ok(deleted.deletedRecords.some((record) => record.id === there.removed));
    await refused('INVALID_REPLICATION_DATE', operations.updated(end, start));
  },
  async 'pages through a query'() {
    const soql = "SELECT Id FROM BackgroundOperation WHERE ParentKey = 'crowd' ORDER BY Id";
    const ids = [];
    let page = await conn.query(soql);
    assert.equal(page.totalSize, there.crowd);
    for (;;) {
      ids.push(...page.records.map((record) => record.Id));
      if (page.done) break;
      page = await conn.queryMore(page.nextRecordsUrl);
    }
    assert.equal(new Set(ids).size, there.crowd);
    const fetched = await conn.query(soql).run({ autoFetch: true, maxFetch: 100000 });
    assert.deepEqual(fetched.records.map((record) => record.Id), ids);
    await refused('INVALID_QUERY_LOCATOR', conn.queryMore('01gxx-2000'));
  },
  async 'counts, groups and finds'() {
    const counted = await conn.query("SELECT COUNT() FROM BackgroundOperation WHERE ParentKey = 'crowd'");
    assert.equal(counted.totalSize, there.crowd);
    const groups = await conn.query('SELECT Status, COUNT(Id) FROM BackgroundOperation ' +
                                    "WHERE ParentKey = 'failed' GROUP BY Status");
    assert.deepEqual(groups.records.map((each) => [each.Status, each.expr0]), [['Error', 1]]);
    const found = await operations.find({ ParentKey: 'several', Status: { $ne: 'New' } }, ['Id', 'Name']).sort({ Name: 1 });
    assert.deepEqual(found.map((each) => each.Id).sort(), [...there.several].sort());
    await refused('INVALID_FIELD', conn.query('SELECT Nonsense FROM BackgroundOperation'));
    await refused('INVALID_TYPE', conn.query('SELECT Id FROM Account'));
    await refused('MALFORMED_QUERY', conn.query('SELECT COUNT(Id) FROM BackgroundOperation GROUP BY StartedAt'));
  },
  async 'is refused without its token and when it writes'() {
    await refused('INVALID_SESSION_ID', connect({ accessToken: 'not the token' }).query('SELECT Id FROM Account'));
    await refused('METHOD_NOT_ALLOWED', operations.update({ Id: there.one, Name: 'x' }));
  },
};

(async () => {
  for (const [name, test] of Object.entries(tests)) {
    await test();
    console.log(`${name}: fine`);
  }
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
