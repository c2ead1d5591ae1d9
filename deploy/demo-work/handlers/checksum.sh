#!/bin/sh
# BlockchainEventPoller: the SHA-256 of whatever bytes come in.
sha256sum | cut -d ' ' -f 1 | tr -d '\n'
