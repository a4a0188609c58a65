// Package promrules holds Serin's reading of alerting rules against Prometheus' own rule manager.
//
// It is a module of its own: the rule manager needs service discovery and Alertmanager's client, and whoever imports
// Serin should not download them. It holds tests alone; `make promrules` runs them.
package promrules
