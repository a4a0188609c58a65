package main

import (
	"errors"
	"fmt"
	"testing"
)

func TestErrorsEndWithTheirOwnStatus(t *testing.T) {
	tests := map[string]struct {
		err  error
		want int
	}{
		"of the command line":     {errors.New(`unknown command "relase"`), exitUsage},
		"with a status":           {exitError{code: 4}, 4},
		"with a status, and more": {fmt.Errorf("release checkout 1.2.0: %w", exitError{code: 3, err: errors.New("rolled back")}), 3},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := exitCode(tt.err); got != tt.want {
				t.Errorf("status %d, want %d", got, tt.want)
			}
		})
	}
}

func TestPathsStartFromDir(t *testing.T) {
	tests := map[string]struct{ dir, path, want string }{
		"relative":                {"/srv", "policies/a.yaml", "/srv/policies/a.yaml"},
		"absolute":                {"/srv", "/etc/a.yaml", "/etc/a.yaml"},
		"the process's directory": {"", "a.yaml", "a.yaml"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := (Env{Dir: tt.dir}).Path(tt.path); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
