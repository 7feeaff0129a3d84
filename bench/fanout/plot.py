"""Draws results (JSON on stdin) into the file that is named. Run by an interpreter with matplotlib."""

import json
import sys

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "fanout"  # the same figures give the same file
import matplotlib.pyplot as plt  # noqa: E402 - the backend comes first


def main() -> None:
    """One panel per load, one line per server."""
    rows = json.load(sys.stdin)["fanout"]
    names = list(dict.fromkeys(row["name"] for row in rows))
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True)
    for panel, part, title in zip(panels, ("burst", "steady"), ("burst", "10 events/s"), strict=True):
        for name in names:
            own = [row for row in rows if row["name"] == name]
            width = 2.5 if name == "Stagecast" else 1.2
            sizes = [row["connections"] for row in own]
            panel.plot(
                sizes, [row[part]["cpuMicroseconds"] for row in own], "o-", label=name, linewidth=width
            )
        panel.set(xscale="log", yscale="log", title=title, xlabel="connections")
        panel.grid(visible=True, alpha=0.3)
    panels[0].set_ylabel("server CPU per delivered event, µs")
    panels[1].legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(sys.argv[1], metadata={"Date": None})


if __name__ == "__main__":
    main()
