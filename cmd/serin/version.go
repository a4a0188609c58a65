package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// build says which build this is. What is not recorded in the binary is "".
type build struct {
	Version  string `json:"version"` // module version; "(devel)" for a build from a work tree without one
	Commit   string `json:"commit,omitempty"`
	Date     string `json:"date,omitempty"`     // of the commit, RFC 3339
	Modified bool   `json:"modified,omitempty"` // the work tree differed from the commit
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func newVersion(env Env) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print version, commit, date and Go version of this binary",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return printVersion(env.Stdout, output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func printVersion(w io.Writer, output string) error {
	b := buildInfo()
	switch output {
	case "json":
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(b)
	case "text":
		_, err := fmt.Fprint(w, b)
		return err
	default:
		return textOrJSON(output)
	}
}

// String is one line a fact.
func (b build) String() string {
	s := "serin " + b.Version + "\n"
	if b.Commit != "" {
		s += "commit " + b.Commit
		if b.Modified {
			s += ", modified"
		}
		s += "\n"
	}
	if b.Date != "" {
		s += "date " + b.Date + "\n"
	}
	return s + b.Go + " " + b.Platform + "\n"
}

// buildInfo reads what the Go tool recorded in this binary.
func buildInfo() build {
	info, _ := debug.ReadBuildInfo()
	return buildOf(info)
}

func buildOf(info *debug.BuildInfo) build {
	b := build{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info == nil {
		return b
	}
	if info.Main.Version != "" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Date = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}
