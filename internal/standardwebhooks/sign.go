package standardwebhooks

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// leastSecret is the shortest key that Standard Webhooks has.
const leastSecret = 24

// Secrets reads the keys that requests are signed with, one a line: two while one takes the other's place. A line that
// begins with whsec_ is base64, any other one is the key itself.
func Secrets(path string) ([][]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the webhook's secret: %w", err)
	}
	var keys [][]byte
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		key := []byte(line)
		if encoded, ok := strings.CutPrefix(line, "whsec_"); ok {
			if key, err = base64.StdEncoding.DecodeString(encoded); err != nil {
				return nil, fmt.Errorf("the webhook's secret in %s is not base64 behind whsec_", path)
			}
		}
		if len(key) < leastSecret {
			return nil, fmt.Errorf("the webhook's secret in %s is shorter than %d bytes: make one with: echo whsec_$(openssl rand -base64 32)", path, leastSecret)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("the webhook's secret in " + path + " is empty")
	}
	return keys, nil
}

// Sign sets the headers that say who sent a body, and when.
func Sign(h http.Header, keys [][]byte, id string, at time.Time, body []byte) {
	h.Set("Webhook-Id", id)
	h.Set("Webhook-Timestamp", strconv.FormatInt(at.Unix(), 10))
	h.Set("Webhook-Signature", signature(keys, id, at, body))
}

// signature is one signature a key.
func signature(keys [][]byte, id string, at time.Time, body []byte) string {
	var all []string
	for _, key := range keys {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
		mac.Write(body)
		all = append(all, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(all, " ")
}
