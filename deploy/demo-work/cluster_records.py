"""The same on a Redis Cluster: each question goes to the shard that can answer it, the one about all of them to bgopctl."""
import json
import subprocess

import redis.cluster

import ids
from records import PAGE, Records


class ClusterRecords(Records):
    def __init__(self, url, bgopctl):
        host, _, port = url.removeprefix("redis://").split(",")[0].rpartition(":")
        self.redis = redis.cluster.RedisCluster(host, int(port))
        self.shards = int(self.redis.hget("bgop:meta", "shards"))
        self.bgopctl = bgopctl

    def of_shard(self, shard, function, *arguments):
        key = f"bgop:{{{shard}}}"
        return self.redis.execute_command("FCALL_RO", function, 1, key, *arguments, target_nodes=self.redis.get_node_from_key(key))

    def stats(self):
        done = subprocess.run([self.bgopctl, "stats", "--json"], check=True, capture_output=True)
        return json.loads(done.stdout)

    def pipelined(self, ask, items):
        pipe = self.redis.pipeline()
        for item in items:
            ask(pipe, item)
        return pipe.execute()

    def look_up_names(self, operations):
        for operation in operations:
            for shard in range(self.shards if not operation.id else 0):
                found = json.loads(self.of_shard(shard, "bgop_lookup", "Name", operation.name))["ids"]
                if found:
                    operation.id = found[0]
                    break

    def retrieve(self, fields, operation_ids):
        rows = {}
        for shard in range(self.shards):
            own = [i for i in operation_ids if ids.shard_of(i) == shard]
            for at in range(0, len(own), PAGE):
                some = own[at:at + PAGE]
                rows.update(zip(some, json.loads(self.of_shard(shard, "bgop_retrieve", fields, *some))))
        return [rows[i] for i in operation_ids]

    def why(self, operation):
        return self.of_shard(ids.shard_of(operation.id), "bgop_why", operation.id).decode()
