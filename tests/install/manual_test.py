#!/usr/bin/env python3
"""The manual page and the bash completion have every command and flag of the tool: manual_test.py HEADWAY DIRECTORY."""
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import manual  # noqa: E402


def complete(script, words):
    """What bash offers behind `words`, the last of which is being written."""
    quoted = " ".join(f"'{word}'" for word in words)
    program = (f"source '{script}'; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _headway; "
               'printf "%s\\n" "${COMPREPLY[@]}"')
    return subprocess.run(["bash", "-c", program], check=True, capture_output=True, text=True).stdout.split()


def main():
    tool, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    page, script = directory / "headway.1", directory / "headway.bash"
    subprocess.run([sys.executable, str(ROOT / "tools/manual.py"), tool, "--man", str(page), "--completion",
                    str(script)], check=True)
    errors = []
    text = page.read_text().replace("\\-", "-")
    helps = manual.read_all(tool)
    if len(helps) < 11:
        errors.append(f"expected the help of ten commands and more, found {len(helps)} pages")
    for one in helps[1:]:
        if not one.about or not one.usage or "--help" not in one.flags():
            errors.append(f"{one.command}: expected a sentence, a usage line and flags")
        for flag in one.flags():
            if not re.search(re.escape(flag) + r"\b", text):
                errors.append(f"{one.command}: {flag} is not in the manual page")
            if flag.startswith("--") and flag not in complete(script, ["headway", *one.command, flag[:-1]]):
                errors.append(f"{one.command}: {flag} is not completed")
    if complete(script, ["headway", "syn"]) != ["synth"]:
        errors.append("'syn' is not completed to 'synth'")
    if shutil.which("groff"):
        said = subprocess.run(["groff", "-man", "-ww", "-z", str(page)], capture_output=True, text=True).stderr
        if said:
            errors.append(f"groff: {said}")
    print("\n".join(errors) or f"{len(helps)} pages of help")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
