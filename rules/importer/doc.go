// Package importer makes rules of Serin's from the rules of other tools: of Prometheus' alerting rules.
//
//	rule files, PrometheusRules, ConfigMaps ─ Prometheus ─► Report ─ Policy ─► a policy's YAML
//
// # What it guarantees
//
// Every rule of a file is in the [Report], converted or refused, with its line. What is refused has a reason and a cure;
// what is converted keeps its expression byte for byte, and package rules accepts it. Files that are not YAML, as the
// templates of Helm, are searched for rules by their lines, so that none is passed over in silence.
//
// It reads no file itself and never panics or hangs on one: what it looks at is bounded, whatever YAML aliases say.
//
// # Design
//
// Rules are found by their shape, wherever they stand in a document: under `groups:`, under `rules:`, in a list, or in
// text that a ConfigMap holds. So wrappers need not be known. What package rules would refuse is refused here, by asking
// it: each converted rule is read once as part of a policy.
package importer
