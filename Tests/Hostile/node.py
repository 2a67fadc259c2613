"""A node under attack: `moonpeer run target.lua` as a process of its own, and what the system says of it."""
import os
import re
import resource
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PATIENCE = 60


def eventually(what, check):
    end = time.monotonic() + PATIENCE
    while not check():
        if time.monotonic() > end:
            raise AssertionError("it did not come to this: " + what)
        time.sleep(0.02)


class Node:
    def __init__(self, program, options, backend="epoll"):
        self.log = tempfile.TemporaryFile()
        words = [program, "run", os.path.join(HERE, "target.lua"), "--listen", "127.0.0.1:0"] + options
        self.process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=self.log, env=dict(os.environ, MOONPEER_BACKEND=backend))
        line = self.process.stdout.readline().decode()
        found = re.search(r"127\.0\.0\.1:(\d+)", line)
        if not found:
            self.process.kill()
            raise AssertionError("the node did not start: %s%s" % (line, self.logged()))
        self.port = int(found[1])

    def logged(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.process.pid))

    def allow_descriptors(self, more):
        limit = self.descriptors() + more
        resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE, (limit, limit))

    def memory(self, key="VmRSS"):
        with open("/proc/%d/status" % self.process.pid) as status:
            return int(re.search(key + r":\s+(\d+)", status.read())[1]) * 1024

    def cpu_seconds(self):
        with open("/proc/%d/stat" % self.process.pid) as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        """As Ctrl-C would; the exit status."""
        self.process.terminate()
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return "it did not stop"

    def attack(self, seed, seconds, kinds):
        words = [sys.executable, os.path.join(HERE, "attackers.py"), str(self.port), str(seed), str(seconds)]
        return subprocess.Popen(words + ["%s=%d" % pair for pair in kinds.items()], stdout=subprocess.PIPE)
