//go:build e2e && unix

package e2e

import (
	"strings"
	"testing"
)

// curl is a pipeline without serin's own client but for the wait.
const curl = `curl --silent --show-error --output answer --write-out '%{http_code}\n' --noproxy '*' -H 'Content-Type: application/json' `

func TestAReleaseByCurlIsWaitedForAndComesOnceHoweverOftenItIsSent(t *testing.T) {
	t.Parallel()
	needs(t, "curl")
	w, server := newPipelines(t)
	d := w.serve(t, "--intake", "127.0.0.1:0", "--intake-token-file", write(t, "tokens", "the-token-of-the-intake\n"))
	w.setFlags(t)
	url := "INTAKE=http://" + d.says(t, `msg="taking releases in" address=(\S+)`) + "/v1/releases/production"
	send := curl + `-H 'Authorization: Bearer the-token-of-the-intake' -H "Idempotency-Key: pipeline-7" "$INTAKE/good" --data '{"version":"1.1.0","commit":"4b825dc"}'; cat answer; `
	exits(t, w.step(t, send+send+"serin wait good --version 1.1.0", url), 0, `202`, `{"ok":true,"id":"pipeline-7","duplicate":false}`, `"duplicate":true`, "promoted")
	w.story.one(t, "1.1.0", "release.accepted")

	for script, want := range map[string]string{
		curl + `"$INTAKE/good" --data '{"version":"1.2.0"}'; cat answer`:                                                                                      "401",
		curl + `-H 'Authorization: Bearer the-token-of-the-intake' "$INTAKE/good" --data '{}'; cat answer`:                                                    "422",
		strings.ReplaceAll(curl, "application/json", "text/plain") + `-H 'Authorization: Bearer the-token-of-the-intake' "$INTAKE/good" --data x; cat answer`: "415",
		`head -c 70000 /dev/zero >large; ` + curl + `-H 'Authorization: Bearer the-token-of-the-intake' "$INTAKE/good" --data-binary @large; cat answer`:      "413",
	} {
		exits(t, w.step(t, script, url), 0, want+"\n", `"ok":false`)
	}
	server.kill(t)
	exits(t, w.step(t, strings.ReplaceAll(send, "pipeline-7", "pipeline-8"), url), 0, "503\n", "send it again")
	if letters := w.story.letters.all; len(letters) > 0 {
		t.Errorf("%d dead letters", len(letters))
	}
}
