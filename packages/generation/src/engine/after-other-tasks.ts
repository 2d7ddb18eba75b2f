/** Resolves when the tasks have run that wait by now: timers, messages, requests of a server. A promise alone would not let them in. */
export function afterOtherTasks(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}
