import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { LensExample, LensToken } from "../../protocol/answers.js";
import { tokenWords, WORDS } from "./words.js";

/** How a token is drawn; colour is never alone: trained is underlined, cut is struck, the end is boxed. */
const classOf = ({ label, cut }: LensToken, atEnd: boolean): string =>
  cut ? "token cut" : label === -100 ? "token" : atEnd ? "token trained end" : "token trained";

/** Line ends and spaces that one could not see. */
const visible = (text: string): string => text.replaceAll("\n", "⏎\n").replaceAll("\t", "⇥");

/** An example token by token. Arrow keys move along the tokens. */
export function LensView({ example }: { readonly example: LensExample }): JSX.Element {
  const [at, choose] = useState<number>();
  useEffect(() => choose(undefined), [example]);
  const { tokens, endTrained } = example;
  const last = tokens.findLastIndex(({ label, cut }) => !cut && label !== -100);
  const isEnd = (i: number): boolean => endTrained === true && i === last;
  const chosen = at === undefined ? undefined : tokens[at];
  const onKeyDown = (event: JSX.TargetedKeyboardEvent<HTMLElement>): void => {
    const by: { readonly [key: string]: number } = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
    const step = by[event.key];
    if (step === undefined) return;
    event.preventDefault();
    choose(Math.min(tokens.length - 1, Math.max(0, (at ?? (step > 0 ? -1 : tokens.length)) + step)));
  };
  return (
    <>
      <div class="lens" role="group" tabIndex={0} aria-label={WORDS.tokens} aria-describedby="chosen" onKeyDown={onKeyDown}>
        {tokens.map((token, i) => (
          <span key={i}>
            {token.beginsTurn && <span class="role">{token.role}</span>}
            <span class={`${classOf(token, isEnd(i))}${i === at ? " chosen" : ""}`} onClick={() => choose(i)}>
              {visible(token.text)}
            </span>
          </span>
        ))}
        <span class="border" title={WORDS.legend.border} />
      </div>
      <p id="chosen" class="hint" aria-live="polite">
        {chosen
          ? `${WORDS.chosen(chosen.id, ...chosen.offset)} “${chosen.text.trim() === "" ? "space" : chosen.text.trim()}”: ${tokenWords(chosen, isEnd(at!))}.`
          : WORDS.choose}
      </p>
    </>
  );
}

/** What each way of drawing means. */
export function Legend(): JSX.Element {
  const { trained, ignored, end, cut, border } = WORDS.legend;
  return (
    <p class="legend">
      <span class="token trained">{trained}</span>
      <span class="token">{ignored}</span>
      <span class="token trained end">{end}</span>
      <span class="token cut">{cut}</span>
      <span>
        <span class="border" aria-hidden="true" /> {border}
      </span>
    </p>
  );
}
