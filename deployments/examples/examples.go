package examples

import _ "embed"

//go:embed demo.yaml
var demo string

// Demo is the policy of `serin demo`: the text of demo.yaml.
func Demo() string { return demo }
