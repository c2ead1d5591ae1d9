"""The Id of an operation, from where Kafka put its submission: 08P, 1 epoch, 2 shard, 9 number, 3 suffix."""
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def murmur2(data):
    """As Kafka's Java client hashes keys."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = (0x9747B28C ^ len(data)) & mask
    whole = len(data) // 4 * 4
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i:i + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = h * m & mask ^ k
    if whole < len(data):
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def base62(number, digits):
    text = ""
    for _ in range(digits):
        number, digit = divmod(number, 62)
        text = ALPHABET[digit] + text
    return text


def suffix(id15):
    """One character for each five: its bits say which of them are capitals."""
    return "".join(SUFFIX[sum(1 << bit for bit in range(5) if "A" <= id15[at + bit] <= "Z")] for at in (0, 5, 10))


def from_delivery(partition, offset, routing_key, shards, epoch="0"):
    if routing_key:
        shard = (murmur2(routing_key.encode()) & 0x7FFFFFFF) % shards
    else:
        shard = (partition + offset) % shards
    id15 = "08P" + epoch + base62(shard, 2) + base62(partition << 43 | offset, 9)
    return id15 + suffix(id15)


def shard_of(operation_id):
    return ALPHABET.index(operation_id[4]) * 62 + ALPHABET.index(operation_id[5])
