"""Real clients against a running server: starts `headway serve` and runs every script of this folder.

A script gets HEADWAY_URL and HEADWAY_KEY, says on its last line what it did and fails by its exit
status. `./dev nightly` installs the clients (docs/development.md)."""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "server"))
import server_process  # noqa: E402

KEY = "a key for tests"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--headway", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--python", default=sys.executable, help="an interpreter that has the clients")
    parser.add_argument("--node-modules", help="the folder with the clients for Node; without it they are left out")
    parser.add_argument("names", nargs="*", help="scripts; all without")
    arguments = parser.parse_args()
    server_process.Arguments.headway, server_process.Arguments.model = arguments.headway, arguments.model
    scripts = [HERE / name for name in arguments.names] or sorted(HERE.glob("*_client.*"))
    server = server_process.Server("--api-key", KEY, "--alias", "story")
    url = f"http://127.0.0.1:{server.port}"
    failed = []
    for script in scripts:
        environment = dict(os.environ, HEADWAY_URL=url, HEADWAY_KEY=KEY)
        command = [arguments.python, str(script)]
        if script.suffix == ".mjs":
            if arguments.node_modules is None:
                continue
            # Node looks for packages beside the script.
            script = pathlib.Path(shutil.copy(script, pathlib.Path(arguments.node_modules).parent))
            command = ["node", str(script)]
        result = subprocess.run(command, env=environment, text=True, capture_output=True, timeout=600)
        lines = result.stdout.strip().splitlines() or ["no output"]
        print(f"{'ok  ' if result.returncode == 0 else 'FAIL'} {script.name}: {lines[-1]}", flush=True)
        if result.returncode != 0:
            failed.append(script.name)
            print(result.stdout, result.stderr, sep="\n")
    server.stop()
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
