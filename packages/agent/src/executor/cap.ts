const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A text of at most so many bytes of UTF-8; what is cut off is said at its end. */
export function cap(text: string, bytes: number): string {
  const encoded = encoder.encode(text);
  if (encoded.length <= bytes) return text;
  const note = `\n[cut: ${encoded.length} bytes]`;
  // A character that is cut becomes U+FFFD, which goes as well.
  return decoder.decode(encoded.subarray(0, bytes - note.length)).replace(/\uFFFD+$/u, "") + note;
}
