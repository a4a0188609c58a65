package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestTokensOfAFileHoldWhileItCannotBeReadAndEndWhenItIsEmptied(t *testing.T) {
	const token = "a-token-of-this-test"
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tokens")
		write := func(text string) {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
		}
		write(token)
		all := tokenFile{path: path, of: "test"}.all()
		holds := func(when string, want bool) {
			t.Helper()
			if got, err := all(); slices.Contains(got, token) != want || (err == nil) != want {
				t.Errorf("%s: %v, %v", when, got, err)
			}
		}
		holds("at first", true)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		holds("while it cannot be read", true)
		write("")
		holds("once it is emptied", false)
		holds("and asked again", false)
		write(token)
		holds("once it is back", true)
	})
}
