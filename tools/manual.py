#!/usr/bin/env python3
"""Writes the manual page and the bash completion of the command line tool from what its --help says, so that neither
can say anything else: manual.py HEADWAY --man headway.1 --completion headway.bash."""
import argparse
import dataclasses
import os
import pathlib
import re
import subprocess

ENTRY = re.compile(r"^  (\S.*?)(?:  +(.*))?$")


@dataclasses.dataclass
class Help:
    command: list
    about: list = dataclasses.field(default_factory=list)
    usage: str = ""
    positionals: list = dataclasses.field(default_factory=list)  # (words, text)
    options: list = dataclasses.field(default_factory=list)
    subcommands: list = dataclasses.field(default_factory=list)
    rest: list = dataclasses.field(default_factory=list)

    def flags(self):
        words = [word for words, _ in self.options for word in re.split(r"[ ,=]", words)]
        return [word for word in words if re.fullmatch(r"--?[a-zA-Z][\w-]*", word)]


def read_help(tool, command):
    environment = {**os.environ, "COLUMNS": "100000"}
    text = subprocess.run([tool, *command, "--help"], check=True, capture_output=True, text=True,
                          env=environment).stdout
    page = Help(command)
    lists = {"Positionals:": page.positionals, "Options:": page.options, "Subcommands:": page.subcommands}
    target = None
    for line in text.splitlines():
        if line.startswith("Usage: "):
            page.usage = line[len("Usage: "):]
        elif line in lists:
            target = lists[line]
        elif not page.usage:
            page.about.append(line)
        elif target is not None and ENTRY.match(line) and not page.rest:
            target.append(ENTRY.match(line).groups(default=""))
        elif line or page.rest:
            page.rest.append(line)
    return page


def read_all(tool):
    pages = [read_help(tool, [])]
    for page in pages:  # grows while it is read
        pages += [read_help(tool, [*page.command, words]) for words, _ in page.subcommands]
    return pages


def roff(text):
    text = text.replace("\\", r"\e").replace("-", r"\-")
    return "\n".join(r"\&" + line if line.startswith((".", "'")) else line for line in text.split("\n"))


def entries(title, items):
    out = [f".SS {roff(title)}"] if title else []
    for words, text in items:
        out += [".TP", rf"\fB{roff(words)}\fR", roff(text) or r"\&"]
    return out


def verbatim(lines):
    while lines and not lines[-1]:
        lines = lines[:-1]
    return [".nf", *(roff(line) for line in lines), ".fi"] if lines else []


def manual(pages, version):
    top = pages[0]
    out = [r".\" Written by tools/manual.py from headway --help.",
           f'.TH HEADWAY 1 "" "headway {version}" "User Commands"', ".SH NAME",
           r"headway \- runs language models in GGUF on CPUs and says where the time went", ".SH SYNOPSIS",
           rf"\fBheadway\fR {roff(top.usage.removeprefix('headway '))}", ".SH DESCRIPTION", *verbatim(top.about)]
    out += [".SH OPTIONS", *entries("", top.options), ".SH COMMANDS", *entries("", top.subcommands)]
    for page in pages[1:]:
        out += [f".SH {roff('headway ' + ' '.join(page.command)).upper()}", roff("\n".join(page.about).strip()), ".PP",
                rf"\fB{roff(page.usage)}\fR"]
        out += entries("Arguments", page.positionals) if page.positionals else []
        out += entries("Options", page.options) + (entries("Commands", page.subcommands) if page.subcommands else [])
        out += [".PP", *verbatim(page.rest)] if page.rest else []
    out += [".SH EXIT STATUS AND ENVIRONMENT", *verbatim(top.rest)]
    return "\n".join(out) + "\n"


def completion(pages):
    """Commands and flags by the words before; files elsewhere."""
    cases = []
    for page in pages[1:]:
        words = " ".join([words for words, _ in page.subcommands] + page.flags())
        cases.append(f'    "{" ".join(page.command)}") words="{words}" ;;')
    top = " ".join([words for words, _ in pages[0].subcommands] + pages[0].flags())
    nested = " ".join(" ".join(page.command) for page in pages if len(page.command) == 2)
    return f"""# bash completion of headway. Written by tools/manual.py from headway --help.
_headway() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" command="${{COMP_WORDS[1]}}" words=""
  case " {nested} " in *" $command ${{COMP_WORDS[2]}} "*) [ "$COMP_CWORD" -gt 2 ] && command="$command ${{COMP_WORDS[2]}}" ;; esac
  [ "$COMP_CWORD" -eq 1 ] && command=""
  case "$command" in
    "") words="{top}" ;;
{chr(10).join(cases)}
  esac
  COMPREPLY=()
  if [[ "$current" == -* || "$COMP_CWORD" -eq 1 || "$command" == eval ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  fi
  local IFS=$'\\n'  # names of files may have spaces
  [ ${{#COMPREPLY[@]}} -gt 0 ] || COMPREPLY=($(compgen -f -- "$current"))
}}
complete -o filenames -F _headway headway
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("headway")
    parser.add_argument("--man", type=pathlib.Path, required=True)
    parser.add_argument("--completion", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    pages = read_all(arguments.headway)
    version = subprocess.run([arguments.headway, "--version"], check=True, capture_output=True,
                             text=True).stdout.split()[-1]
    arguments.man.write_text(manual(pages, version))
    arguments.completion.write_text(completion(pages))


if __name__ == "__main__":
    main()
