// Package annotations fills in the annotations of alerting rules by Prometheus' own templates: {{ $value }}, {{ $labels }},
// humanizePercentage and the others.
//
// It guarantees a text for every annotation, as Prometheus does: a template that fails says so where it stands. Texts are
// bounded and have no control characters.
//
// It never asks Prometheus: `query` in a template fails.
package annotations
