package standardwebhooks_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/serin-cd/serin/internal/standardwebhooks"
)

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The example of the Standard Webhooks specification's libraries.
func TestASignatureIsTheOneOfTheStandard(t *testing.T) {
	keys, err := standardwebhooks.Secrets(file(t, "\nwhsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"))
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	standardwebhooks.Sign(h, append(keys, keys...), "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	const one = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	if got := h.Get("Webhook-Signature"); got != one+" "+one {
		t.Errorf("signature %s", got)
	}
	if h.Get("Webhook-Id") != "msg_p5jXN8AQM9LWM0D4loKWxJek" || h.Get("Webhook-Timestamp") != "1614265330" {
		t.Errorf("headers %v", h)
	}
}

func TestABadSecretIsNotRepeatedInTheError(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "is empty",
		"short-and-secret":       "is shorter than 24 bytes",
		"whsec_!!short-and-secr": "is not base64",
	} {
		_, err := standardwebhooks.Secrets(file(t, text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "short-and-secr") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := standardwebhooks.Secrets(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there has keys")
	}
}
