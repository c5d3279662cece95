"""temp"""


def check_compiles(pack):
    pass
