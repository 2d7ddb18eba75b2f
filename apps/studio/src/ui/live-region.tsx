import { useEffect, useRef, useState } from "preact/hooks";
import type { JSX } from "preact";

/** Between two announcements at least, in ms. */
const EVERY = 10_000;

/** The page's one polite live region: it tells the last of what changed, every ten seconds at most. */
export function LiveRegion({ text }: { readonly text: string }): JSX.Element {
  const [said, say] = useState("");
  const last = useRef(-Infinity);
  useEffect(() => {
    const wait = Math.max(0, last.current + EVERY - performance.now());
    const timer = setTimeout(() => {
      last.current = performance.now();
      say(text);
    }, wait);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <p class="unseen" role="status" aria-live="polite">
      {said}
    </p>
  );
}
