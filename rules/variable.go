package rules

import (
	"slices"
	"strings"
)

// variable is one of the closed list of variables.
type variable uint8

const (
	noVariable variable = iota
	varService
	varEnvironment
	varVersion
	varStableVersion
	varVariant
	varFlag
	varStep
	varWeight
	varWindow
	varExtra // {{vars.NAME}}
)

// extraPrefix begins the names of the policy's own variables.
const extraPrefix = "vars."

// variables are the names between the braces; the index is the variable.
var variables = [...]string{
	varService: "service", varEnvironment: "environment", varVersion: "version", varStableVersion: "stable_version",
	varVariant: "variant", varFlag: "flag", varStep: "step", varWeight: "weight", varWindow: "window",
}

func variableNamed(name string) variable {
	if extra, ok := strings.CutPrefix(name, extraPrefix); ok {
		if isVarName(extra) {
			return varExtra
		}
		return noVariable
	}
	if i := slices.Index(variables[1:], name); i >= 0 {
		return variable(i + 1)
	}
	return noVariable
}

// isVarName reports whether s can stand behind "vars.": letters, digits, _ and -.
func isVarName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

// numeric reports whether the variable may stand where PromQL takes a number.
func (v variable) numeric() bool {
	return v == varStep || v == varWeight || v == varWindow || v == varExtra
}
