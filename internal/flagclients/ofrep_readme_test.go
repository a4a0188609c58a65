//go:build e2e

package flagclients

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	ofrepprovider "github.com/open-feature/go-sdk-contrib/providers/ofrep"
	of "github.com/open-feature/go-sdk/openfeature"
)

// ofrepNames are what the example for Go may use: they compile here.
var ofrepNames = map[string]any{
	"ofrep.NewProvider": ofrepprovider.NewProvider, "ofrep.WithBearerToken": ofrepprovider.WithBearerToken,
	"openfeature.SetProviderAndWait": of.SetProviderAndWait, "openfeature.NewClient": of.NewClient,
	"openfeature.NewEvaluationContext": of.NewEvaluationContext, "client.StringValue": (*of.Client).StringValue,
}

func TestOFREPExamplesUseNamesThatExist(t *testing.T) {
	page, err := os.ReadFile("../../flags/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, page2, ok := strings.Cut(string(page), "\n## OFREP\n")
	section, _, _ := strings.Cut(page2, "\n## ")
	golang := block(section, "go")
	js := block(section, "js")
	if !ok || golang == "" || js == "" {
		t.Fatal("the page has no examples of OFREP")
	}
	for _, m := range regexp.MustCompile(`\b((?:ofrep|openfeature|client)\.[A-Z]\w*)\(`).FindAllStringSubmatch(golang, -1) {
		if ofrepNames[m[1]] == nil {
			t.Errorf("the example for Go uses %s, which nothing tries", m[1])
		}
	}
	imports := regexp.MustCompile(`import \{ (\w+) \} from '([^']+)'`).FindAllStringSubmatch(js, -1)
	if len(imports) == 0 {
		t.Error("the example for Node imports nothing")
	}
	for _, m := range imports {
		script := "import * as m from '" + m[2] + "'; if (typeof m." + m[1] + " === 'undefined') process.exit(1)"
		if out, err := exec.CommandContext(t.Context(), "node", "--input-type=module", "-e", script).CombinedOutput(); err != nil {
			t.Errorf("%s of %s: %v\n%s", m[1], m[2], err, out)
		}
	}
	for _, m := range regexp.MustCompile(`(OpenFeature|client)\.(\w+)\(`).FindAllStringSubmatch(js, -1) {
		script := "import { OpenFeature } from '@openfeature/server-sdk'; const client = OpenFeature.getClient(); if (typeof " + m[1] + "." + m[2] + " !== 'function') process.exit(1)"
		if out, err := exec.CommandContext(t.Context(), "node", "--input-type=module", "-e", script).CombinedOutput(); err != nil {
			t.Errorf("%s.%s: %v\n%s", m[1], m[2], err, out)
		}
	}
}

// block is the first code block of a language.
func block(page, language string) string {
	_, rest, _ := strings.Cut(page, "```"+language+"\n")
	code, _, _ := strings.Cut(rest, "```")
	return code
}
