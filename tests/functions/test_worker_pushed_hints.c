/* Hints that Redis pushes: the worker as a whole, against the real functions and the mock broker (worker_queue.h). What is
 * to be granted to a hint only is made invisible for pulls: released in the future. */
#include "tests/functions/worker_queue.h"

#include "common/redis/subscriber.h"

static struct queue queue;

static int begin(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    queue_init(&queue);
    queue_set(&queue, "type WebCart", "handler", "noop");
    queue_set(&queue, "type XClean", "handler", "noop");
    queue_set(&queue, "redis", "timeout_ms", "1000");
    queue_begin(&queue);
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_int_equal(queue_stop_worker(&queue), ST_OK);
    queue_release(&queue);
    return 0;
}

/* Recorded, not hinted through Kafka, and not to be pulled. (Redis itself pushes it when it is recorded.) */
static void submit_unseen(int shard, char id[ID_SIZE])
{
    queue.hint = false;
    queue_submit(&queue, "WebCart", shard, 1, "x", 60000, id);
    queue.hint = true;
    queue_redis(&queue, "ZADD bgop:{%d}:pending:WebCart XX 99999999999999 %s", shard, id);
}

static int push(int shard, const char *id)
{
    return (int)strtol(queue_redis(&queue, "SPUBLISH bgop:{%d}:hints:WebCart %s", shard, id), NULL, 10);
}

static int listeners_of(const char *channel)
{
    struct redis_reply *reply;
    struct err err = ERR_INIT;
    int count;

    assert_int_equal(redis_call(queue.redis, &reply, &err, "PUBSUB", "SHARDNUMSUB", channel, NULL), ST_OK);
    count = (int)redis_reply_int(redis_reply_at(reply, 1), -1);
    redis_reply_free(reply);
    return count;
}

/* How often somebody asked for a number of listeners. */
static long times_asked(void)
{
    struct redis_reply *reply;
    struct err err = ERR_INIT;
    const char *found;
    long times;

    assert_int_equal(redis_call(queue.redis, &reply, &err, "INFO", "commandstats", NULL), ST_OK);
    found = strstr(redis_reply_text(reply, NULL), "cmdstat_pubsub|shardnumsub:calls=");
    times = found ? strtol(strchr(found, '=') + 1, NULL, 10) : 0;
    redis_reply_free(reply);
    return times;
}

/* What Kafka brings, so that the worker has its partitions and work lately. */
static void run_one(void)
{
    char id[ID_SIZE];

    queue_submit(&queue, "WebCart", 0, 1, "x", -1, id);
    queue_wait_for(queue_status_is(&queue, id, "Complete"));
}

static void a_worker_without_partitions_listens(void **state)
{
    char id[ID_SIZE];

    (void)state;
    submit_unseen(1, id);
    queue_start_worker(&queue); /* the consumer group takes seconds to begin */
    queue_wait_for(push(1, id) > 0);
    queue_wait_for(queue_status_is(&queue, id, "Complete"));
    run_one();
}

/* With partitions of its own it goes on listening to them, as long as little comes: that is the fast way. */
static void a_worker_listens_while_little_comes(void **state)
{
    enum { MANY = 400 };
    char many[MANY * ID_SIZE + 1];
    struct redis_reply *reply;
    struct err err = ERR_INIT;
    char id[ID_SIZE];

    (void)state;
    memset(many, 'x', sizeof many);
    for (int i = 1; i <= MANY; i++)
        many[i * ID_SIZE - 1] = ' ';
    many[MANY * ID_SIZE - 1] = '\0';
    queue_wait_for(listeners_of("bgop:{1}:hints:XClean") == 1);
    assert_int_equal(redis_call(queue.redis, &reply, &err, "SPUBLISH", "bgop:{1}:hints:XClean", many, NULL), ST_OK);
    redis_reply_free(reply);
    queue_wait_for(listeners_of("bgop:{1}:hints:WebCart") == 0);
    run_one();
    queue_wait_for(listeners_of("bgop:{1}:hints:WebCart") == 1);
    submit_unseen(1, id);
    push(1, id);
    queue_wait_for(queue_status_is(&queue, id, "Complete"));
}

/* Another listener comes, is counted, and goes. */
static void lose_another_worker(void)
{
    struct redis *other = queue_connect(&queue);
    struct err err = ERR_INIT;
    struct published published;
    long asked;

    assert_int_equal(subscriber_connect(other, &err), ST_OK);
    assert_int_equal(subscriber_receive(other, &published, &err), ST_OK); /* sends what is queued */
    published_release(&published);
    queue_wait_for(listeners_of("bgop:{0}:workers") == 2);
    run_one();
    asked = times_asked();
    queue_wait_for(times_asked() >= asked + 3); /* so it has counted two: an answer is taken at the next question */
    redis_free(other);
}

static void a_worker_listens_when_another_is_gone(void **state)
{
    char id[ID_SIZE], strange[ID_SIZE];

    (void)state;
    lose_another_worker();
    queue_wait_for(listeners_of("bgop:{2}:hints:WebCart") == 1);
    memset(strange, 'x', sizeof strange - 1); /* no hint of ours: it changes nothing */
    strange[sizeof strange - 1] = '\0';
    assert_int_equal(push(2, strange), 1);
    assert_int_equal(push(2, "short"), 1);
    submit_unseen(2, id);
    push(2, id);
    queue_wait_for(queue_status_is(&queue, id, "Complete"));
}

static void listening_survives_a_restart_of_redis(void **state)
{
    char id[ID_SIZE];

    (void)state;
    redis_server_kill(&queue.server);
    queue_redis_again(&queue);
    queue_wait_for(listeners_of("bgop:{0}:workers") == 1);
    lose_another_worker();
    queue_wait_for(listeners_of("bgop:{1}:hints:WebCart") == 1);
    submit_unseen(1, id);
    push(1, id);
    queue_wait_for(queue_status_is(&queue, id, "Complete"));
}

/* It may listen to nothing: what it does is as good as without this. */
static void a_worker_without_permission_works(void **state)
{
    (void)state;
    queue_redis(&queue, "ACL SETUSER default resetchannels");
    queue_redis(&queue, "CLIENT KILL TYPE pubsub");
    run_one();
    run_one();
    queue_redis(&queue, "ACL SETUSER default allchannels");
    queue_wait_for(listeners_of("bgop:{0}:workers") == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_without_partitions_listens),
        cmocka_unit_test(a_worker_listens_while_little_comes),
        cmocka_unit_test(a_worker_listens_when_another_is_gone),
        cmocka_unit_test(listening_survives_a_restart_of_redis),
        cmocka_unit_test(a_worker_without_permission_works),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
