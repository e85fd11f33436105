# SPDX-License-Identifier: Apache-2.0
"""The charts of the README, drawn from tests/bench/results/*.json.

The ground is transparent and no colour depends on the reader's theme, which an image in a README
cannot ask for: the greys and the colours stand out from white (at least 4.5 : 1 for text) and from
GitHub's dark ground alike."""
import html
import json

import peers as compared

TEXT, LINE = "#6e7781", "#8b949e"
OURS, FLOOR, OTHERS = "#2f81f7", "#8b949e", "#c2793d"
KINDS = {"right": ("#2da44e", "as it should"), "early": ("#d4a72c", "too early"),
         "late": ("#c2793d", "late"), "wrong": ("#cf222e", "a person at work is ended"),
         "never": ("#8b949e", "never"), "unknown": ("#57606a", "not observed")}
WIDTH, LEFT, ROW, BAR = 760, 250, 30, 18


class Drawing:
    def __init__(self, title, height):
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
            f'height="{height}" role="img" font-family="sans-serif" font-size="13">',
            f"<title>{html.escape(title)}</title>"]
        self.text(0, 18, title, weight="bold", size=15)

    def text(self, x, y, text, anchor="start", weight="normal", fill=TEXT, size=13):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" '
                          f'font-size="{size}" fill="{fill}">{html.escape(str(text))}</text>')

    def bar(self, x, y, width, fill):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{BAR}" '
                          f'rx="2" fill="{fill}"/>')

    def write(self, path):
        path.write_text("\n".join([*self.parts, "</svg>"]) + "\n")
        return path


def hot_path(result, path):
    """What each way adds to a key's way through a terminal."""
    rows = [("empty/fentry", "an empty program (the floor)", FLOOR),
            ("idlewarden/fentry", "idlewarden", OURS),
            ("idlewarden/kprobe", "idlewarden, kprobe backend", OURS),
            ("both_ends/fentry", "tty_write + tty_read, hash", OTHERS),
            ("both_ends/kprobe", "the same by kprobes, as in bcc", OTHERS)]
    key = result["rows"]["key"]
    rows = [row for row in rows if row[0] in key]
    drawing = Drawing(f"Instructions added to a key's {key['none']['instructions']:,} "
                      f"(Linux {result['kernel']})", 40 + ROW * len(rows))
    most = max(key[name]["more"] for name, _, _ in rows)
    for i, (name, label, fill) in enumerate(rows):
        top = 36 + ROW * i
        width = (WIDTH - LEFT - 130) * key[name]["more"] / most
        drawing.text(LEFT - 10, top + 14, label, "end", "bold" if fill == OURS else "normal")
        drawing.bar(LEFT, top, width, fill)
        drawing.text(LEFT + width + 8, top + 14,
                     f"+{key[name]['more']:,}  ({100 * (key[name]['ratio'] - 1):.1f} %)")
    return drawing.write(path)


def peers(result, path):
    """How many of the sessions each one deals with as it should."""
    cells = result["cells"]
    names = [name for name in compared.HEADS if any(cell["peer"] == name for cell in cells)]
    total = len({cell["case"] for cell in cells})
    drawing = Drawing(f"What became of the same {total} sessions", 70 + ROW * len(names))
    scale = (WIDTH - LEFT - 20) / total
    used = set()
    for i, name in enumerate(names):
        top = 36 + ROW * i
        drawing.text(LEFT - 10, top + 14, compared.HEADS[name].replace("`", ""), "end",
                     "bold" if name == "idlewarden" else "normal")
        at = LEFT
        for kind, (fill, _) in KINDS.items():
            count = sum(compared.verdict(cell)[0] == kind for cell in cells if cell["peer"] == name)
            if not count:
                continue
            used.add(kind)
            drawing.bar(at, top, scale * count - 2, fill)
            drawing.text(at + scale * count / 2 - 1, top + 14, count, "middle", "bold", "#ffffff")
            at += scale * count
    at = LEFT
    for kind, (fill, label) in KINDS.items():
        if kind in used:
            top = 44 + ROW * len(names)
            drawing.parts.append(f'<rect x="{at}" y="{top}" width="11" height="11" rx="2" fill="{fill}"/>')
            drawing.text(at + 16, top + 10, label, size=12)
            at += 34 + 6.4 * len(label)
    return drawing.write(path)


def draw(results):
    made = []
    for name, chart in (("hot-6.1", hot_path), ("peers", peers)):
        source = results / f"{name}.json"
        if source.exists():
            made.append(chart(json.loads(source.read_text()), results / f"{chart.__name__}.svg"))
    return made
