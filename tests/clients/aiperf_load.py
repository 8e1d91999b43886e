"""NVIDIA's aiperf as the load: streamed chats from 1, 4 and 16 users at once, by an interpreter's `aiperf`.

    python3 -m venv aiperf && aiperf/bin/pip install aiperf==0.13.0        1.2 GB, so `./dev nightly` leaves it out
    python3 tests/clients/aiperf_load.py --headway build/release/headway --model MODEL --aiperf aiperf/bin/aiperf

Every request must be answered whole: no error, and as many tokens as were asked for. Prints what aiperf found."""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "server"))
import server_process  # noqa: E402

PROMPT_BYTES, ANSWER_TOKENS, REQUESTS_A_USER = 300, 48, 8


def write_tokenizer(directory):
    """aiperf wants one to write prompts with, and would fetch it: here a byte is a token."""
    others = iter(range(256, 512))
    shown = [chr(byte if 33 <= byte < 127 or 161 <= byte and byte != 173 else next(others)) for byte in range(256)]
    by_bytes = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    tokenizer = {"version": "1.0", "added_tokens": [], "pre_tokenizer": by_bytes, "decoder": by_bytes,
                 "model": {"type": "BPE", "vocab": {text: byte for byte, text in enumerate(shown)}, "merges": []}}
    pathlib.Path(directory, "tokenizer.json").write_text(json.dumps(tokenizer))
    pathlib.Path(directory, "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')


def profile(arguments, url, endpoint, users, directory):
    """What aiperf found: {metric: {"avg", "p50", ...}}."""
    write_tokenizer(directory)
    command = [arguments.aiperf, "profile", "--model", "story", "--url", url, "--endpoint-type", endpoint, "--streaming",
               "--concurrency", users, "--request-count", users * REQUESTS_A_USER, "--warmup-request-count", users,
               "--isl", PROMPT_BYTES, "--osl", ANSWER_TOKENS, "--extra-inputs", "ignore_eos:true",
               "--tokenizer", directory, "--use-server-token-count", "--api-key", "key", "--ui", "none", "--random-seed", 1,
               "--workers-max", 2, "--no-gpu-telemetry", "--no-server-metrics", "--artifact-dir", directory]
    result = subprocess.run([str(part) for part in command], text=True, capture_output=True, timeout=900)
    files = sorted(pathlib.Path(directory).rglob("profile_export_aiperf.json"))
    if result.returncode != 0 or not files:
        sys.exit(f"aiperf: exit status {result.returncode}\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}")
    return json.loads(files[0].read_text())


def check(found, users):
    requests = users * REQUESTS_A_USER
    assert found["request_count"]["avg"] == requests, found["request_count"]
    assert not found.get("error_summary"), found["error_summary"]
    length = found["output_sequence_length"]
    assert length["min"] == length["max"] == ANSWER_TOKENS, length


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--headway", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--aiperf", required=True)
    parser.add_argument("--users", default="1,4,16")
    parser.add_argument("--flags", default="", help="further ones of the server")
    arguments = parser.parse_args()
    server_process.Arguments.headway, server_process.Arguments.model = arguments.headway, arguments.model
    server = server_process.Server("--api-key", "key", "--alias", "story", "--parallel", "16", *arguments.flags.split())
    try:
        for endpoint in ("chat", "completions"):
            for users in map(int, arguments.users.split(",")):
                with tempfile.TemporaryDirectory() as directory:
                    found = profile(arguments, f"http://127.0.0.1:{server.port}", endpoint, users, directory)
                check(found, users)
                first, between = found["time_to_first_token"], found["inter_token_latency"]
                print(f"{endpoint:12} {users:3} users: {found['output_token_throughput']['avg']:7.1f} tokens/s, first token "
                      f"{first['p50']:6.1f} ms (p99 {first['p99']:6.1f}), between tokens {between['p50']:5.2f} ms", flush=True)
    finally:
        server.stop()


if __name__ == "__main__":
    main()
