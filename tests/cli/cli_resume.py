"""Killed, interrupted, run again: the outputs are those of an undisturbed run."""
import fcntl, json, os, random, shlex, signal, subprocess, time, unittest

from command_case import ENVIRONMENT, TUBELET, CommandCase, digests, run, settle, strays

KILLS = int(os.environ.get("TUBELET_TEST_KILLS", "20"))


class Resume(CommandCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.make_model("dinov2:tiny")
        cls.videos = cls.make_videos("videos", [40, 25, 60, 16, 33, 50, 210, 450])
        cls.arguments = ["extract", cls.videos, "--model", cls.model, "--dtype", "f32", "--out"]
        began = time.monotonic()
        done = run(*cls.arguments, cls.folder / "whole")
        cls.seconds = time.monotonic() - began
        assert done.returncode == 0, done.stderr
        cls.whole = digests(cls.folder / "whole")
        assert len(cls.whole) == 8

    def start(self, out, *more):
        command = [TUBELET, *map(str, [*self.arguments, out, *more])]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)

    def test_killed_at_random_moments(self):
        dice = random.Random(20)
        unfinished = 0
        for i in range(KILLS):
            out = self.folder / f"killed{i}"
            child = self.start(out)
            moment = dice.uniform(0, self.seconds)
            time.sleep(moment)
            child.kill()
            child.communicate()
            unfinished += child.returncode == -signal.SIGKILL
            # The files that are there are whole.
            for name, digest in digests(out).items():
                self.assertEqual(digest, self.whole[name], f"killed after {moment:.3f} s")
            self.check(0, *self.arguments, out)
            self.assertEqual(digests(out), self.whole, f"killed after {moment:.3f} s")
            self.assertEqual(strays(out), [], f"killed after {moment:.3f} s")
        self.assertGreater(unfinished, KILLS // 4)

    def interrupt(self, number):
        """Sends the signal once the first video is done; None if the run ended before that."""
        out = self.folder / f"interrupted{number}-{time.monotonic_ns()}"
        child = self.start(out, "--json", "--batch", "1", "--threads", "1", "--decode-threads", "1")
        lines = []
        for line in child.stdout:
            lines.append(json.loads(line))
            if lines[-1]["event"] == "video":
                child.send_signal(number)
                break
        rest, error = child.communicate()
        lines += [json.loads(line) for line in rest.splitlines()]
        return (out, child.returncode, lines, error) if child.returncode else None

    def check_interrupted(self, number, code):
        for _ in range(20):
            seen = self.interrupt(number)
            if seen:
                break
        else:
            self.fail("twenty runs ended before the signal came")
        out, returncode, lines, error = seen
        self.assertEqual(returncode, code, error)
        end = lines[-1]
        self.assertEqual(end["event"], "end")
        self.assertGreater(end["pending"], 0)
        self.assertEqual(strays(out), [])
        # The command that the message names finishes the work.
        named = [line for line in error.splitlines() if "to finish, run again: " in line]
        self.assertEqual(len(named), 1, error)
        done = subprocess.run(shlex.split(named[0].split("run again: ", 1)[1]), capture_output=True, text=True, env=ENVIRONMENT)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(digests(out), self.whole)

    def test_interrupted_from_the_keyboard(self):
        self.check_interrupted(signal.SIGINT, 130)

    def test_terminated(self):
        self.check_interrupted(signal.SIGTERM, 143)

    def test_a_second_signal_leaves_at_once(self):
        # Both signals wait while the process is stopped, so that the first has no time to end the run properly.
        out = self.folder / "impatient"
        child = self.start(out, "--backend", "reference", "--threads", "1", "--size", "560x560", "--json")
        self.assertEqual(json.loads(child.stdout.readline())["event"], "start")
        for number in (signal.SIGSTOP, signal.SIGINT, signal.SIGTERM, signal.SIGCONT):
            child.send_signal(number)
        rest, error = child.communicate()
        self.assertIn(child.returncode, (130, 143), error)
        self.assertEqual(rest, "", error)
        self.assertIn("a second signal leaves at once", error)

    def test_a_signal_and_its_echo(self):
        """timeout(1) signals its child, then the child's group: the run still ends properly."""
        for i in range(20):
            out = self.folder / f"echo{i}"
            child = self.start(out, "--backend", "reference", "--threads", "1", "--size", "560x560", "--json")
            self.assertEqual(json.loads(child.stdout.readline())["event"], "start")
            child.send_signal(signal.SIGTERM)
            while "a second signal leaves at once" not in child.stderr.readline():
                self.assertIsNone(child.poll())
            child.send_signal(signal.SIGTERM)
            rest, error = child.communicate()
            self.assertEqual(child.returncode, 143, error)
            if rest and json.loads(rest.splitlines()[-1])["event"] == "end":
                self.assertEqual(strays(out), [])
                return
        self.fail("twenty runs left at once")

    def test_a_reader_that_has_stopped(self):
        """A pager blocks a run for as long as it likes, until the first signal, whether only stdout goes there or
        stderr too."""
        for both in (False, True):
            reader, writer = os.pipe()
            os.write(writer, bytes(fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)))
            out = self.folder / f"blocked{both}"
            command = [TUBELET, *map(str, [*self.arguments, out, "--json"])]
            child = subprocess.Popen(command, stdout=writer, stderr=writer if both else subprocess.PIPE, text=True, env=ENVIRONMENT)
            os.close(writer)
            caught = 0
            while not caught & 1 << signal.SIGINT - 1:
                self.assertIsNone(child.poll())
                with open(f"/proc/{child.pid}/status") as status:
                    caught = next(int(line.split()[1], 16) for line in status if line.startswith("SigCgt"))
            child.send_signal(signal.SIGINT)
            try:
                _, error = child.communicate(timeout=60)
            finally:
                child.kill()
                os.close(reader)
            self.assertEqual(child.returncode, 130, error)
            if not both:
                self.assertIn("lines are missing", error)
            self.assertEqual(strays(out) if out.exists() else [], [])

    def test_a_second_run_changes_nothing(self):
        settle(self.model)
        out = self.folder / "twice"
        self.check(0, *self.arguments, out)
        before = {p.name: (p.stat().st_mtime_ns, p.stat().st_ino, p.read_bytes()) for p in out.iterdir()}
        events = [json.loads(line) for line in self.check(0, *self.arguments, out, "--json").stdout.splitlines()]
        self.assertEqual([e["event"] for e in events], ["start", "end"])
        self.assertEqual((events[-1]["done_before"], events[-1]["ok"]), (8, 0))
        self.assertEqual({p.name: (p.stat().st_mtime_ns, p.stat().st_ino, p.read_bytes()) for p in out.iterdir()}, before)

    def test_damaged_outputs_are_made_again(self):
        out = self.folder / "damaged"
        self.check(0, *self.arguments, out)
        os.truncate(out / "v00.npy", 200)
        (out / "v02.npy").unlink()
        self.check(0, *self.arguments, out)
        self.assertEqual(digests(out), self.whole)

    def test_mixed_settings_are_refused(self):
        out = self.folder / "mixed"
        self.check(0, *self.arguments, out)
        other = self.folder / "other-model"
        self.check(0, "init", "dinov2:tiny", other, "--seed", "9")
        for options in (["--stride", "8"], ["--clip-length", "8"], ["--transform", "opentad"], ["--pool", "mean"], ["--align", "center"], ["--fps", "10"],
                        ["--backend", "reference"], ["--model", other]):
            self.check(2, *self.arguments, out, *options)
        self.assertEqual(digests(out), self.whole)
        # Settings that don't change a byte may change.
        self.check(0, *self.arguments, out, "--batch", "3", "--threads", "1", "--stride", "4")

    def test_shards_and_whole_runs_share_a_folder(self):
        out = self.folder / "shared"
        self.check(0, *self.arguments, out, "--shard", "1/2")
        self.assertLess(len(digests(out)), len(self.whole))
        self.check(0, *self.arguments, out)
        self.assertEqual(digests(out), self.whole)

    def test_going_on_with_another_instruction_set_says_so(self):
        out, said = self.folder / "levels", "features were begun with scalar, and this run computes with "
        scalar = {"TUBELET_ISA": "scalar"}
        self.assertNotIn(said, self.check(0, *self.arguments, out, "--shard", "0/2", environment=scalar).stderr)
        self.assertIn(said, self.check(0, *self.arguments, out).stderr)
        self.assertNotIn(said, self.check(0, *self.arguments, out).stderr)             # there was nothing to do

    def test_shards_of_unlike_machines(self):
        """Started together in a new folder, with the precision left open: the first decides; the others follow it or
        say why not."""
        levels, out = ("avx2", "amx"), self.folder / "unlike"
        command = [TUBELET, "extract", self.videos, "--model", self.model, "--out", out, "--shard"]
        shards = [subprocess.Popen([*map(str, command), f"{i}/4"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env={**ENVIRONMENT, "TUBELET_ISA": levels[i % 2]}) for i in range(4)]
        for shard in shards:
            _, error = shard.communicate()
            self.assertIn(shard.returncode, (0, 6), error)


if __name__ == "__main__":
    unittest.main()
