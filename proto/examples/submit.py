#!/usr/bin/python3
"""Submits one operation with confluent-kafka; the same Name and content again is the same operation.

    pip install confluent-kafka         # or: apt install python3-confluent-kafka
    BGOP_KAFKA=127.0.0.1:9092 python3 submit.py [NAME]
"""
import json
import os
import sys

import confluent_kafka

operation = {"Type": "WebCart", "ParentKey": "acct-42", "Name": sys.argv[1] if len(sys.argv) > 1 else "from-python",
             "Payload": {"items": 3}}
failures = []
producer = confluent_kafka.Producer({"bootstrap.servers": os.environ["BGOP_KAFKA"], "enable.idempotence": True})
producer.produce("bgop.submit", key=operation["ParentKey"], value=json.dumps(operation),
                 on_delivery=lambda error, message: error and failures.append(error))
if producer.flush(30) or failures:      # only what Kafka has acknowledged is submitted
    sys.exit(f"not submitted: {failures or 'no answer from Kafka'}")
