import { anyOf, CLASSES, isAscii } from "../text/characters.js";
import type { Edits, NormalizedString } from "../text/normalized-string.js";
import { inForm } from "../text/unicode-forms.js";
import { lowercase } from "./lowercase.js";
import type { Normalizer, NormalizerKind } from "./normalizer.js";

/** Control, format and private characters but for white space; code points that Unicode has not assigned stay. */
const REMOVED = anyOf("[\\p{Cc}\\p{Cf}\\p{Co}\\uFFFD]--[\\t\\n\\r]");
const SPACES = anyOf(CLASSES.whitespace);
const NONSPACING = anyOf("\\p{Mn}");
/** The blocks that BERT calls Chinese. */
const CHINESE = anyOf(
  "\\u4E00-\\u9FFF\\u3400-\\u4DBF\\u{20000}-\\u{2A6DF}\\u{2A700}-\\u{2B73F}\\u{2B740}-\\u{2B81F}\\u{2B920}-\\u{2CEAF}\\uF900-\\uFAFF\\u{2F800}-\\u{2FA1F}",
);

const cleanText: Normalizer = (piece) => {
  const kept = piece.without(REMOVED);
  return kept.renamed(kept.text.replace(SPACES, " "));
};

/** A space before and after each Chinese character. */
function spaceChinese(piece: NormalizedString): NormalizedString {
  if (piece.text.search(CHINESE) < 0) return piece;
  const edits: Edits = { chars: [], changes: [] };
  for (const char of piece.text) {
    const chinese = char.search(CHINESE) === 0;
    edits.chars.push(...(chinese ? [" ", char, " "] : [char]));
    edits.changes.push(...(chinese ? [0, 1, 1] : [0]));
  }
  return piece.transform(edits);
}

const stripAccents: Normalizer = (piece) => (isAscii(piece.text) ? piece : inForm(piece, "NFD").without(NONSPACING));

/** What BERT does to a text before it is split. */
export const BERT: NormalizerKind = {
  type: "BertNormalizer",
  read(field) {
    const lower = field.at("lowercase").boolean(true);
    const steps = [
      ...(field.at("clean_text").boolean(true) ? [cleanText] : []),
      ...(field.at("handle_chinese_chars").boolean(true) ? [spaceChinese] : []),
      ...(field.at("strip_accents").boolean(lower) ? [stripAccents] : []),
      ...(lower ? [lowercase] : []),
    ];
    return (piece) => steps.reduce((one, step) => step(one), piece);
  },
};
