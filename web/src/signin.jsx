// signin.jsx - for whom the cluster does not know yet.
import { useState } from "preact/hooks";

export function SignIn({ expired }) {
  const [error, setError] = useState(expired ? "That link was used before, or it is older than five minutes. Print a new one." : "");
  const submit = async (e) => {
    e.preventDefault();
    const token = new FormData(e.target).get("token").trim();
    const answer = await fetch("/console/login", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ token }) })
      .catch(() => null);
    if (answer?.ok) location.href = "/console/";
    else setError(answer ? (await answer.json().catch(() => ({}))).message || "This token was not accepted." : "The cluster does not answer.");
  };
  return <main class="signin">
    <h1>Stowage</h1>
    <p>On the machine where the cluster runs, this prints a link that signs you in:</p>
    <pre><code>stowage console</code></pre>
    <form onSubmit={submit}>
      <label for="token">Or paste a token, such as <code>kubectl create token NAME</code> gives</label>
      <input id="token" name="token" type="password" autocomplete="off" required />
      <button type="submit">Sign in</button>
    </form>
    {error && <p class="error" role="alert">{error}</p>}
  </main>;
}
