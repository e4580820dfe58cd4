"""Four threads that read and write one word without a lock."""
from vmconc.concurrent import shared, thread


@shared
class Word:
    value: int


@thread(4)
def bump(cpu, word):
    for _ in range(50):
        word.value += 1
