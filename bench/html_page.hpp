#pragma once

namespace butterdb::bench {

/// What the report's page begins with. Text and lines have the contrast of WCAG 2.2's level AA on
/// their ground, light and dark. The policy has the browser refuse whatever a server's name or a
/// title might smuggle in.
inline constexpr const char* page_begin = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>ButterDB benchmark</title>
<style>
:root { color-scheme: light dark; --ground: #fff; --ink: #1b1f24; --soft: #57606a;
  --line: #d9dde2; --panel: #f5f6f8; --bad: #a3330b;
  --s0: #1f6fc4; --s1: #b85c00; --s2: #0f7f6b; --s3: #a8327d; --s4: #6a4fc4; --s5: #5b6573; }
@media (prefers-color-scheme: dark) { :root { --ground: #14171a; --ink: #e6e8ea; --soft: #a3adb7;
  --line: #333a41; --panel: #1d2125; --bad: #ff9d76;
  --s0: #6cb0ff; --s1: #ff9d4d; --s2: #3fc7ae; --s3: #f080c0; --s4: #b3a0ff; --s5: #b8c0cc; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 76rem; background: var(--ground);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; }
p { margin: .5rem 0; max-width: 70ch; }
pre { margin: 0; padding: .6rem .8rem; background: var(--panel); border-radius: 6px;
  white-space: pre-wrap; font-size: .875rem; }
.scroll { overflow-x: auto; margin: .75rem 0; }
table { border-collapse: collapse; font-size: .875rem; width: 100%; }
th, td { padding: .35rem .5rem; text-align: left; vertical-align: top; overflow-wrap: normal;
  border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { padding-left: 0; }
thead th { color: var(--soft); font-weight: 500; vertical-align: bottom; }
tbody th { font-weight: 600; min-width: 6rem; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
thead .number { white-space: normal; }
.long { min-width: 9.5rem; overflow-wrap: anywhere; }
.bad { color: var(--bad); }
.note { color: var(--soft); font-size: .875rem; }
.charts, .bars { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 27rem), 1fr)); }
.bars { gap: .5rem 2rem; }
.chart { margin: 0; padding: .8rem 1rem; background: var(--panel); border-radius: 6px; min-width: 0;
  max-width: 44rem; }
[data-chart=comparison] { max-width: none; }
figcaption { font-weight: 600; margin-bottom: .5rem; }
.chart > svg, .bars > svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { fill: var(--soft); font-size: 12.5px; font-variant-numeric: tabular-nums; }
svg .name { fill: var(--ink); font-weight: 600; }
svg .said { fill: var(--ink); }
.grid { stroke: var(--line); fill: none; }
.line { fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round; }
.guide { color: var(--soft); }
.dense .line { stroke-width: 1.25; }
.guide .line { stroke-width: 1.5; }
.point, .mark { fill: currentColor; }
.point { stroke: currentColor; stroke-width: 8; stroke-linecap: round;
  stroke-opacity: 0; pointer-events: all; }
.point:hover { stroke-opacity: .35; }
.pale .point { fill-opacity: .45; }
.s0 { color: var(--s0); }
.s1 { color: var(--s1); } .s1 .line { stroke-dasharray: 8 3; }
.s2 { color: var(--s2); } .s2 .line { stroke-dasharray: 3 3; }
.s3 { color: var(--s3); } .s3 .line { stroke-dasharray: 10 3 2 3; }
.s4 { color: var(--s4); } .s4 .line { stroke-dasharray: 14 4; }
.s5 { color: var(--s5); } .s5 .line { stroke-dasharray: 6 3 2 3 2 3; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; padding: 0;
  margin: .5rem 0 0; font-size: .875rem; }
.legend li { display: flex; gap: .5rem; align-items: baseline; }
.key { width: 36px; height: 12px; flex: none; }
@media (max-width: 34rem) { svg text { font-size: 17px; } .bars text { font-size: 16px; } }
</style>
</head>
<body>
<main>
<h1>ButterDB benchmark</h1>
)";

}  // namespace butterdb::bench
