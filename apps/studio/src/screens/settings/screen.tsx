import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { useSession } from "../../state/context.js";
import { bytes } from "../../ui/format.js";
import { theme, type ThemeChoice } from "../../ui/theme.js";
import { WORDS } from "./words.js";

const CHOICES: readonly ThemeChoice[] = ["system", "light", "dark"];

const yes = (value: boolean): string => (value ? WORDS.yes : WORDS.no);

/** How the studio looks, and what it runs on. */
export function SettingsScreen(): JSX.Element {
  const { device } = useSession();
  const [copied, setCopied] = useState(false);
  const { backend, threads, isolated, bytes: used } = device.value ?? {};
  const facts: readonly (readonly [string, string])[] =
    backend === undefined
      ? []
      : [
          [WORDS.computes, backend === "cpu" ? `CPU, ${threads} threads` : "Graphics device"],
          [WORDS.memory, bytes(used!)],
          [WORDS.isolated, yes(isolated!)],
          [WORDS.webgpu, yes("gpu" in navigator)],
          [WORDS.browser, navigator.userAgent],
        ];
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(facts.map(([name, value]) => `${name}: ${value}`).join("\n"));
    setCopied(true);
  };
  return (
    <div class="settings">
      <h1>{WORDS.title}</h1>
      <section aria-labelledby="theme">
        <h2 id="theme">{WORDS.theme}</h2>
        <fieldset class="segments" aria-labelledby="theme">
          {CHOICES.map((choice) => (
            <label key={choice}>
              <input type="radio" name="theme" checked={theme.value === choice} onChange={() => (theme.value = choice)} />
              <span>{WORDS.themes[choice]}</span>
            </label>
          ))}
        </fieldset>
      </section>
      <section aria-labelledby="device">
        <h2 id="device">{WORDS.device}</h2>
        {facts.length === 0 ? (
          <p class="empty">{WORDS.starting}</p>
        ) : (
          <>
            <dl class="facts">
              {facts.map(([name, value]) => (
                <div key={name}>
                  <dt>{name}</dt>
                  <dd>{value}</dd>
                </div>
              ))}
            </dl>
            <p>
              <button onClick={() => void copy()}>{WORDS.copy}</button> <span class="hint">{copied ? WORDS.copied : WORDS.copyHint}</span>
            </p>
          </>
        )}
      </section>
    </div>
  );
}
