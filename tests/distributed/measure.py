#!/usr/bin/env python3
"""Time a token on several hosts against one, in turns, at some delays (docs/distributed.md has the figures).

    measure.py HEADWAY TAP_SWITCH MODEL [--tokens N] [--turns N] [--head KIND]..."""
import argparse
import json
import os
import statistics
import subprocess

import network

PLACES = [(2, "layers:2,head:1"), (2, "layers:1,head:2"), (2, "layers:2,head:2"), (4, "layers:2,head:4")]


def figure(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("headway")
    parser.add_argument("switch")
    parser.add_argument("model")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--head", action="append")
    parser.add_argument("--delay-us", type=int, action="append")
    arguments = parser.parse_args()
    command = [os.path.abspath(arguments.headway), "run", os.path.abspath(arguments.model), "--ids", "1,2,3,4", "-n",
               str(arguments.tokens), "--ignore-end", "--temp", "0", "--threads", "1", "--allow-ungated", "--json"]
    times, traffic, tokens = {}, {}, {}

    def note(key, text):
        report = json.loads(text)
        times.setdefault(key, []).append(report["counters"]["step_p50_ns"] / 1e6)
        tokens.setdefault(key[0], []).append(report["generated_ids"])
        if "hosts" in report:
            steps = report["hosts"]["steps"]
            traffic[key] = {what: report["hosts"][what] / steps for what in ("messages", "bytes", "reductions")}

    delays = arguments.delay_us or [0, 100, 1000]
    heads = arguments.head or ["full:4", "certified"]
    with network.Network(4, arguments.switch) as hosts:
        for _ in range(arguments.turns):
            for head in heads:
                done = subprocess.run([*command, "--head", head], capture_output=True, text=True, check=True)
                note((head, "one host", 0), done.stdout)
                for delay in delays:
                    hosts.set_delay(delay)
                    for ranks, parts in PLACES:
                        job = hosts.start([*command, "--head", head, "--hosts", parts], ranks)
                        out, errors = job.wait(300)
                        try:
                            note((head, f"{ranks} ranks, {parts}", delay), out)
                        except json.JSONDecodeError:
                            raise SystemExit(errors) from None
    for head in heads:
        assert all(ids == tokens[head][0] for ids in tokens[head]), "other tokens"
    print("netem" if hosts.by_netem else "tap_switch")
    print("| head | hosts | delay | ms a token | messages | bytes | reductions |")
    print("|---|---|---|---|---|---|---|")
    for key in sorted(times, key=lambda key: (key[0], key[2], key[1] != "one host", key[1])):
        head, where, delay = key
        counts = traffic.get(key, {"messages": 0, "bytes": 0, "reductions": 0})
        print(f"| {head} | {where} | {delay / 1000:g} ms | {figure(times[key])} | {counts['messages']:.0f} | "
              f"{counts['bytes']:,.0f} | {counts['reductions']:.0f} |")


if __name__ == "__main__":
    main()
