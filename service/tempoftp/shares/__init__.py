"""What is wanted and what is known about every share: the rows, their states and the rules between them.

Steps 2, 8 and 9 of the flow. Nothing in here knows HTTP, Ansible or the queue.
"""
