package main

import (
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestVersionTellsWhatTheGoToolRecorded(t *testing.T) {
	here := build{Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	tests := map[string]struct {
		info *debug.BuildInfo
		want build
	}{
		"nothing recorded": {nil, build{Version: "(devel)"}},
		"installed by version": {
			&debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}},
			build{Version: "v1.2.3"},
		},
		"built from a work tree with changes": {
			&debug.BuildInfo{Settings: []debug.BuildSetting{
				{Key: "vcs.revision", Value: "0123abcd"},
				{Key: "vcs.time", Value: "2026-11-20T12:00:00Z"},
				{Key: "vcs.modified", Value: "true"},
			}},
			build{Version: "(devel)", Commit: "0123abcd", Date: "2026-11-20T12:00:00Z", Modified: true},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.want.Go, tt.want.Platform = here.Go, here.Platform
			if diff := cmp.Diff(tt.want, buildOf(tt.info)); diff != "" {
				t.Errorf("build (-want +got):\n%s", diff)
			}
		})
	}
}

func TestVersionIsOneLineAFact(t *testing.T) {
	b := build{Version: "v1.2.3", Commit: "0123abcd", Date: "2026-11-20T12:00:00Z", Modified: true, Go: "go1.26", Platform: "linux/amd64"}
	want := "serin v1.2.3\ncommit 0123abcd, modified\ndate 2026-11-20T12:00:00Z\ngo1.26 linux/amd64\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}
