import type { ComponentChildren, JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import { droppedFiles } from "../../files/dropped-files.js";
import { ofInput, type PickedFile } from "../../files/picked-file.js";
import { WORDS } from "./words.js";

/** What every browser has, and the types of preact have not. */
const WHOLE_FOLDERS = { webkitdirectory: true };

/** Takes files and folders: dropped, or chosen by either button. */
export function DropZone({
  disabled,
  onFiles,
  children,
}: {
  readonly disabled: boolean;
  readonly onFiles: (files: readonly PickedFile[]) => void;
  readonly children: ComponentChildren;
}): JSX.Element {
  const [over, setOver] = useState(false);
  const folder = useRef<HTMLInputElement>(null);
  const files = useRef<HTMLInputElement>(null);
  const taken = (event: JSX.TargetedEvent<HTMLInputElement>): void => {
    const chosen = ofInput(event.currentTarget.files!);
    // The same files can be chosen again.
    event.currentTarget.value = "";
    if (chosen.length > 0) onFiles(chosen);
  };
  const onDrop = (event: JSX.TargetedDragEvent<HTMLElement>): void => {
    event.preventDefault();
    setOver(false);
    if (disabled || !event.dataTransfer) return;
    void droppedFiles(event.dataTransfer).then(onFiles);
  };
  return (
    <section
      class={over ? "drop over" : "drop"}
      aria-label={WORDS.drop}
      onDragOver={(event) => (event.preventDefault(), setOver(true))}
      onDragLeave={() => setOver(false)}
      onDrop={onDrop}
    >
      {children}
      <p class="actions">
        <button disabled={disabled} onClick={() => folder.current!.click()}>
          {WORDS.openFolder}
        </button>
        <button disabled={disabled} onClick={() => files.current!.click()}>
          {WORDS.openFiles}
        </button>
      </p>
      <input
        ref={folder}
        class="unseen"
        type="file"
        tabIndex={-1}
        aria-label={WORDS.openFolder}
        {...WHOLE_FOLDERS}
        multiple
        onChange={taken}
      />
      <input ref={files} class="unseen" type="file" tabIndex={-1} aria-label={WORDS.openFiles} multiple onChange={taken} />
    </section>
  );
}
