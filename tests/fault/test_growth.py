#!/usr/bin/python3
"""What is flat is called flat, and each kind of growth is found."""
import unittest

from growth import Sample, judge


def samples(resident=lambda n: 20.0, files=lambda n: 30, redis=lambda n: 5_000_000, accepted=lambda n: 1000 * n):
    return [Sample(n, {"worker-1": resident(n), "redis": 50 + n}, {"worker-1": files(n), "redis": 40}, redis(n), 1000 * n,
                   min(400, accepted(n)), accepted(n)) for n in range(60)]


class Growth(unittest.TestCase):
    def judged(self, **more):
        return judge(samples(**more), ["worker-1", "redis"])[0]

    def test_flat(self):
        self.assertEqual(self.judged(), [])

    def test_noise_and_the_beginning_do_not_count(self):
        self.assertEqual(self.judged(resident=lambda n: 20.0 + n % 3, files=lambda n: 30 + n % 2), [])
        self.assertEqual(self.judged(resident=lambda n: 1.0 + min(n, 15)), [])

    def test_memory(self):
        [line] = self.judged(resident=lambda n: 20.0 + n)
        self.assertIn("worker-1 grows from 49.5 to 69.5 MiB", line)

    def test_files(self):
        [line] = self.judged(files=lambda n: 30 + n)
        self.assertIn("worker-1 opens more and more files", line)

    def test_redis(self):
        self.assertEqual(self.judged(redis=lambda n: 5_000_000 + 1000 * n * 2), [])
        [line] = self.judged(redis=lambda n: 5_000_000 + 1000 * n * 20)
        self.assertIn("Redis holds 20 bytes more for each operation that was removed", line)


if __name__ == "__main__":
    unittest.main()
