#!/usr/bin/env python3
"""Draws docs/certified_head.svg from the JSON of `headway bench head PACKAGE --margin 14,12,...,0 --json`:
bytes and time of the certified head, as shares of the full head, against the winner's margin.

    tools/plot_certified.py bench.json docs/certified_head.svg"""
import json
import sys

WIDTH, HEIGHT, LEFT, TOP = 640, 320, 60, 20
PLOT_WIDTH, PLOT_HEIGHT = 540, 240
INDEPENDENT = 4.4  # where the largest of 200,064 independent logits stands
MOST_MARGIN, MOST_SHARE = 15.0, 1.0


def points(rows):
    for row in rows:
        if row["table"] != "certified" or row["row"] == "file":
            continue
        margin = INDEPENDENT if row["row"] == "iid" else float(row["row"].split("=")[1])
        yield margin, row["bytes_of_int8"], 1.0 / row["speedup"]


def place(margin, share):
    x = LEFT + PLOT_WIDTH * (margin - 4.0) / (MOST_MARGIN - 4.0)
    return x, TOP + PLOT_HEIGHT * (1.0 - share / MOST_SHARE)


def curve(values, colour, name, label_y):
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(m, s) for m, s in values))
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in (place(m, s) for m, s in values))
    return (f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>{dots}'
            f'<text x="430" y="{label_y}" fill="{colour}">{name}</text>')


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        data = sorted(points(json.load(file)["rows"]))
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = place(4.0, share)
        out.append(f'<line x1="{x}" y1="{y}" x2="{x + PLOT_WIDTH}" y2="{y}" stroke="#ddd"/><text x="{x - 36}" y="{y + 4}">{share:.2f}</text>')
    for margin in range(4, 16):
        x, y = place(margin, 0.0)
        out.append(f'<text x="{x - 4}" y="{y + 18}">{margin}</text>')
    out.append(f'<text x="{LEFT + 90}" y="{HEIGHT - 14}">winner above the bulk, standard deviations (4.4: independent logits)</text>')
    out.append(curve([(m, b) for m, b, _ in data], "#1f77b4", "bytes, of the 8-bit head", 60))
    out.append(curve([(m, t) for m, _, t in data], "#d62728", "time, of the full head", 80))
    out.append("</svg>\n")
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write("\n".join(out))


if __name__ == "__main__":
    main()
