module github.com/seed9f1f0156/websocket/mutate

go 1.25
