"""A control plane on SQLite that is killed in the middle of its work: what it acknowledged is there when it starts again."""

import os
import random
import tempfile
import time

from crowd import Creator, Mover, crowd
from replicas import Alone, codes
from sdk import Step
from stage import Stage

ROUNDS = 8
# From the start to listening, with the password of the owner made slow to guess on the way.
AT_ONCE = 30


class Killed(Step):
    def setUp(self):
        self.outer = Stage.current
        directory = tempfile.TemporaryDirectory(prefix="doorward-killed-")
        self.addCleanup(directory.cleanup)
        Stage.current = self.stage = Alone(directory.name)
        self.addCleanup(self.leave)

    def leave(self):
        self.stage.close()
        Stage.current = self.outer

    def test_nothing_acknowledged_is_lost_and_roles_stay_in_a_row(self):
        seed = int(os.environ.get("DOORWARD_SEED", time.time_ns() % 1_000_000))
        print(f"       DOORWARD_SEED={seed}", flush=True)
        chance, sole = random.Random(seed), self.stage.control_plane
        creators, movers = [Creator() for _ in range(3)], [Mover(seed + number) for number in range(3)]
        with crowd(*creators, *movers):
            for _ in range(ROUNDS):
                time.sleep(chance.uniform(0.2, 1.5))
                sole.kill()
                time.sleep(chance.uniform(0.0, 0.3))
                self.assertLess(sole.start(), AT_ONCE)
                self.everything_is_there(creators)
        acknowledged = self.everything_is_there(creators)
        print(f"       {acknowledged} policies acknowledged, {sum(mover.done for mover in movers)} answers about roles", flush=True)

    def everything_is_there(self, creators):
        acknowledged = {code for creator in creators for code in list(creator.acknowledged)}
        self.assertEqual(acknowledged - set(codes(self.stage.call("GET", "/access/api/policies"))), set(), "lost")
        roles = self.stage.call("GET", "/access/api/roles").json()
        self.assertEqual([one["roleHierarchyIndex"] for one in roles], list(range(1, len(roles) + 1)))
        return len(acknowledged)
