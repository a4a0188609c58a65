package main

import "testing"

func TestFlagdSyncIsServedToNobodyUnasked(t *testing.T) {
	for address, want := range map[string]bool{"": true, "127.0.0.1:8015": true, "[::1]:8015": true, "localhost:0": true, ":8015": false, "0.0.0.0:8015": false, "10.0.0.1:8015": false, "8015": false} {
		if err := checkFlagdSync(address, false); (err == nil) != want {
			t.Errorf("%q: %v", address, err)
		}
	}
	if err := checkFlagdSync("0.0.0.0:8015", true); err != nil {
		t.Error(err)
	}
}
