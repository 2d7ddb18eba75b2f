import { inForm, type UnicodeForm } from "../text/unicode-forms.js";
import type { NormalizerKind } from "./normalizer.js";

const kind = (type: UnicodeForm): NormalizerKind => ({ type, read: () => (piece) => inForm(piece, type) });

/** The normalization forms of Unicode. */
export const UNICODE_FORMS: readonly NormalizerKind[] = [kind("NFC"), kind("NFD"), kind("NFKC"), kind("NFKD")];
