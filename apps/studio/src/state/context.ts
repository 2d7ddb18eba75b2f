import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { Session } from "./session.js";

/** The page's session, for screens. */
export const SessionContext = createContext<Session | undefined>(undefined);

/** The page's session. */
export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error("a screen stands outside of the app");
  return session;
}
