#pragma once

// The page's style sheet. Colours are Okabe and Ito's, which stay apart for colour-blind readers.

#include <string_view>

namespace headway::lab {

inline constexpr std::string_view kPageStyle = R"(
:root { color-scheme: light dark; --page: #ffffff; --ink: #1c1f24; --soft: #5a626e; --line: #d8dce3; --band: #f3f5f8;
  --s0: #0072b2; --s1: #e69f00; --s2: #009e73; --s3: #cc79a7; --s4: #56b4e9; --s5: #8c8c8c;
  --better: #00734f; --worse: #b23a00; --tied: #5a626e; --fail: #b00020; }
@media (prefers-color-scheme: dark) {
  :root { --page: #15181d; --ink: #e8eaee; --soft: #a3abb8; --line: #39404b; --band: #1e232b;
    --s0: #3d9fd8; --s1: #e0a32e; --s2: #2bb48b; --s3: #d48db3; --s4: #7cc6ef; --s5: #9a9a9a;
    --better: #43c99a; --worse: #ff8a5c; --tied: #a3abb8; --fail: #ff7285; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.2rem 4rem; max-width: 58rem; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .4rem; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .5rem; border-top: 1px solid var(--line); padding-top: 1.1rem; }
p, li { max-width: 46rem; }
.about { color: var(--soft); font-size: .92rem; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
th { text-align: left; color: var(--soft); font-weight: 600; }
th, td { padding: .34rem .6rem .34rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.number { white-space: nowrap; }
figure { margin: 1rem 0 0; }
figcaption { color: var(--soft); font-size: .92rem; margin: .2rem 0 .5rem; max-width: 46rem; }
svg { display: block; width: 100%; height: auto; }
svg text { font: 13px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: var(--ink); }
svg text.value, svg text.tick { fill: var(--soft); }
.s0 { fill: var(--s0); background: var(--s0); } .s1 { fill: var(--s1); background: var(--s1); }
.s2 { fill: var(--s2); background: var(--s2); } .s3 { fill: var(--s3); background: var(--s3); }
.s4 { fill: var(--s4); background: var(--s4); } .s5 { fill: var(--s5); background: var(--s5); }
.grid { stroke: var(--line); } .mark { stroke: var(--ink); stroke-dasharray: 4 3; }
svg g line { stroke-width: 3; stroke-linecap: round; }
.better { color: var(--better); stroke: var(--better); fill: var(--better); } .worse { color: var(--worse); stroke: var(--worse); fill: var(--worse); }
.tied, .baseline { color: var(--tied); stroke: var(--tied); fill: var(--tied); }
.fail { color: var(--fail); } b.better, b.worse, b.tied, b.baseline, b.fail { font-weight: 700; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; font-size: .88rem; color: var(--soft); margin: .2rem 0 .3rem; }
.legend i { display: inline-block; width: .8rem; height: .8rem; margin-right: .4rem; border-radius: 2px; vertical-align: -1px; }
dt { font-weight: 600; } dd { margin: 0 0 .5rem; color: var(--soft); max-width: 46rem; }
code { font: .88em "DejaVu Sans Mono", ui-monospace, monospace; background: var(--band); padding: 0 .25em; border-radius: 3px; }
)";

}  // namespace headway::lab
