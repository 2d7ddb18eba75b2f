import type { NormalizedString } from "../text/normalized-string.js";
import type { PreTokenizerKind } from "./pre-tokenizer.js";

/** Names of scripts, commonest first. @see Unicode `Scripts.txt`, as far as the Python library's table goes */
const NAMES =
  "Latin Common Han Hiragana Katakana Inherited Cyrillic Arabic Greek Hebrew Hangul Thai Devanagari Armenian Bengali Bopomofo Braille Buginese Buhid " +
  "Canadian_Aboriginal Carian Cham Cherokee Coptic Cuneiform Cypriot Deseret Egyptian_Hieroglyphs Ethiopic Georgian Glagolitic Gothic Gujarati Gurmukhi " +
  "Hanunoo Imperial_Aramaic Inscriptional_Pahlavi Inscriptional_Parthian Javanese Kaithi Kannada Kayah_Li Kharoshthi Khmer Lao Lepcha Limbu Linear_B Lisu " +
  "Lycian Lydian Malayalam Mandaic Meetei_Mayek Mongolian Myanmar New_Tai_Lue Nko Ogham Ol_Chiki Old_Italic Old_Persian Old_South_Arabian Old_Turkic Oriya " +
  "Osmanya Phags_Pa Phoenician Rejang Runic Samaritan Saurashtra Shavian Sinhala Sora_Sompeng Sundanese Syloti_Nagri Syriac Tagalog Tagbanwa Tai_Le Tai_Tham " +
  "Tai_Viet Takri Tamil Telugu Thaana Tibetan Tifinagh Ugaritic Vai Yi Avestan Balinese Bamum Batak Brahmi Chakma Meroitic_Cursive Meroitic_Hieroglyphs Miao " +
  "Sharada Bassa_Vah Caucasian_Albanian Duployan Elbasan Grantha Khojki Khudawadi Linear_A Mahajani Manichaean Mende_Kikakui Modi Mro Nabataean " +
  "Old_North_Arabian Old_Permic Pahawh_Hmong Palmyrene Pau_Cin_Hau Psalter_Pahlavi Siddham Tirhuta Warang_Citi Ahom Anatolian_Hieroglyphs Hatran Multani " +
  "Old_Hungarian SignWriting Adlam Bhaiksuki Marchen Newa Osage Tangut";
const SCRIPTS = NAMES.split(" ").map((name) => [name, new RegExp(`^\\p{Script=${name}}`, "u")] as const);

const known = new Map<string, string | undefined>();
/** The script of a character; Japanese ones are all Han, and a space and what is not in the table have none. */
function scriptOf(char: string): string | undefined {
  if (char === " ") return undefined;
  if (char === "ー") return "Han";
  if (!known.has(char)) {
    const found = SCRIPTS.find(([, pattern]) => pattern.test(char))?.[0];
    known.set(char, found === "Hiragana" || found === "Katakana" ? "Han" : found);
  }
  return known.get(char);
}

/** Splits where the script changes. What has none goes with what is before it; before the first that has one it is dropped, as in the Python library. */
export const UNICODE_SCRIPTS: PreTokenizerKind = {
  type: "UnicodeScripts",
  read: () => (piece) => {
    const pieces: NormalizedString[] = [];
    let last: string | undefined;
    let from: number | undefined;
    let at = 0;
    for (const char of piece.text) {
      const script = scriptOf(char);
      if (script !== undefined && script !== last) {
        if (from !== undefined) pieces.push(piece.slice(from, at));
        from = at;
        last = script;
      }
      at += char.length;
    }
    if (from !== undefined) pieces.push(piece.slice(from, at));
    return pieces;
  },
};
