module github.com/seed9f1f0156/websocket/klauspost

go 1.25

replace github.com/seed9f1f0156/websocket => ../

require (
	github.com/klauspost/compress v1.20.3
	github.com/seed9f1f0156/websocket v0.0.0-00010101000000-000000000000
	github.com/stretchr/testify v1.11.1
)

require (
	github.com/davecgh/go-spew v1.1.1 // indirect
	github.com/pmezard/go-difflib v1.0.0 // indirect
	gopkg.in/yaml.v3 v3.0.1 // indirect
)
