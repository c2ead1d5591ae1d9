PEERS = {}


def prepare(names):
    pass
