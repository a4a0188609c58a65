package main

import "testing"

func TestFlagdSyncIsServedToNobodyUnasked(t *testing.T) {
	for address, want := range map[string]bool{"": true, "127.0.0.1:0": true, "[::1]:0": true, "localhost:0": true, ":0": false, "0.0.0.0:0": false, "10.0.0.1:0": false, "0": false} {
		if err := checkFlagdSync(address, false); (err == nil) != want {
			t.Errorf("%q: %v", address, err)
		}
	}
	if err := checkFlagdSync("0.0.0.0:0", true); err != nil {
		t.Error(err)
	}
}
